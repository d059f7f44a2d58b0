//! The deployed function: wiring only.

fn main() -> Result<(), lambda::Error> {
    lambda::block_on(Box::pin(async {
        let config = lambda::Config::from_process_env()?;
        let ctx = operator_functions::connect_directory(&config);
        let targets = outbound_http::TargetPolicy::new(config.allow_loopback_targets);
        lambda::serve_invoke(move |event| operator_functions::configure::handle(ctx.clone(), targets, event)).await
    }))
}
