//! The deployed function: wiring only.

fn main() -> Result<(), lambda::Error> {
    lambda::block_on(Box::pin(async {
        let config = lambda::Config::from_process_env()?;
        let ctx = operator_functions::connect_catalogue(&config);
        lambda::serve_invoke(move |event| operator_functions::catalogue::handle(ctx.clone(), event)).await
    }))
}
