//! The deployed function: wiring only.

fn main() -> Result<(), lambda::Error> {
    lambda::block_on(Box::pin(async {
        let config = lambda::Config::from_process_env()?;
        let (ctx, chats) = vcita_functions::connect_typing(&config).await;
        let handle = move |request| vcita_functions::typing::handle(ctx.clone(), chats.clone(), request);
        lambda::serve_http(handle, vcita_functions::render).await
    }))
}
