//! The deployed function: wiring only.

fn main() -> Result<(), lambda::Error> {
    lambda::block_on(Box::pin(async {
        let config = lambda::Config::from_process_env()?;
        let ctx = outbound_functions::connect_sweep(&config);
        lambda::serve_invoke(move |event| outbound_functions::sweep::handle(ctx.clone(), event)).await
    }))
}
