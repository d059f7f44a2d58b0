//! The deployed function: wiring only.

fn main() -> Result<(), lambda::Error> {
    lambda::block_on(Box::pin(async {
        let config = lambda::Config::from_process_env()?;
        let ctx = iadvize_functions::connect_panel_api(&config).await;
        let render = iadvize_functions::render;
        lambda::serve_http(move |request| iadvize_functions::panel::api::handle(ctx.clone(), request), render).await
    }))
}
