//! The deployed function: wiring only.

fn main() -> Result<(), lambda::Error> {
    lambda::block_on(Box::pin(async {
        let config = lambda::Config::from_process_env()?;
        let ctx = vcita_functions::connect_calls(&config).await;
        lambda::serve_invoke(move |event| vcita_functions::upkeep::handle(ctx.clone(), event)).await
    }))
}
