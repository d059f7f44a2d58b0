//! The deployed function: wiring only.

fn main() -> Result<(), lambda::Error> {
    lambda::block_on(Box::pin(async {
        let config = lambda::Config::from_process_env()?;
        let (ctx, erase) = operator_functions::connect_erase(&config);
        lambda::serve_invoke(move |event| operator_functions::erase::handle(ctx.clone(), erase.clone(), event)).await
    }))
}
