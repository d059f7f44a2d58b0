//! The deployed function: wiring only.

fn main() -> Result<(), lambda::Error> {
    lambda::block_on(Box::pin(async {
        let config = lambda::Config::from_process_env()?;
        let (ctx, batch) = frontstage_functions::connect_push(&config).await;
        lambda::serve_batch(batch, move |body, until| frontstage_functions::push::handle(ctx.clone(), body, until)).await
    }))
}
