//! The deployed function: wiring only.

fn main() -> Result<(), lambda::Error> {
    lambda::block_on(Box::pin(async {
        let config = lambda::Config::from_process_env()?;
        let ctx = vcita_functions::connect_channels(&config).await;
        let render = vcita_functions::render;
        lambda::serve_http(move |request| vcita_functions::events::handle(ctx.clone(), request), render).await
    }))
}
