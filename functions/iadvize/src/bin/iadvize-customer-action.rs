//! The deployed function: wiring only.

fn main() -> Result<(), lambda::Error> {
    lambda::block_on(Box::pin(async {
        let config = lambda::Config::from_process_env()?;
        let ctx = iadvize_functions::connect_action(&config).await;
        let render = iadvize_functions::render;
        lambda::serve_http(move |request| iadvize_functions::customer_action::handle(ctx.clone(), request), render).await
    }))
}
