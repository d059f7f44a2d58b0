//! The deployed function: wiring only.

fn main() -> Result<(), lambda::Error> {
    lambda::block_on(Box::pin(async {
        let config = lambda::Config::from_process_env()?;
        let ctx = std::sync::Arc::new(ctrader_functions::connect(&config).await);
        lambda::serve_http(move |request| ctrader_functions::certificate::handle(ctx.clone(), request), ctrader_functions::render)
            .await
    }))
}
