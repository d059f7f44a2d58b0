//! The deployed function: wiring only.

fn main() -> Result<(), lambda::Error> {
    lambda::block_on(Box::pin(async {
        let config = lambda::Config::from_process_env()?;
        let ctx = ctrader_functions::connect_oauth(&config).await;
        let render = ctrader_functions::render_oauth;
        lambda::serve_http(move |request| ctrader_functions::onetime_authorize::handle(ctx.clone(), request), render).await
    }))
}
