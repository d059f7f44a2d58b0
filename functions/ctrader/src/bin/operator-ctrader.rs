//! The deployed function: wiring only.

fn main() -> Result<(), lambda::Error> {
    lambda::block_on(Box::pin(async {
        let config = lambda::Config::from_process_env()?;
        let ctx = ctrader_functions::connect(&config).await;
        lambda::serve_invoke(move |event| ctrader_functions::operator::handle(ctx.clone(), event)).await
    }))
}
