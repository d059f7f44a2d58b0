//! The deployed function: wiring only.

fn main() -> Result<(), lambda::Error> {
    lambda::block_on(Box::pin(async {
        let config = lambda::Config::from_process_env()?;
        let ctx = ctrader_functions::connect_action(&config).await;
        lambda::serve_http(move |request| ctrader_functions::action::handle(ctx.clone(), request), ctrader_functions::render)
            .await
    }))
}
