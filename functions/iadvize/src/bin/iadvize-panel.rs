//! The deployed function: wiring only.

fn main() -> Result<(), lambda::Error> {
    lambda::block_on(Box::pin(async {
        let config = lambda::Config::from_process_env()?;
        let ctx = iadvize_functions::connect(&config).await;
        lambda::serve_http(move |request| iadvize_functions::panel::page::handle(ctx.clone(), request), iadvize_functions::render)
            .await
    }))
}
