//! The deployed function: wiring only.

fn main() -> Result<(), lambda::Error> {
    lambda::block_on(Box::pin(async {
        let config = lambda::Config::from_process_env()?;
        let ctx = ctrader_functions::chat::connect_chats(&config).await;
        let render = ctrader_functions::render;
        lambda::serve_http(move |request| ctrader_functions::chat::act::handle(ctx.clone(), request), render).await
    }))
}
