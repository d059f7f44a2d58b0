//! The deployed function: wiring only.

fn main() -> Result<(), lambda::Error> {
    lambda::block_on(Box::pin(async {
        let config = lambda::Config::from_process_env()?;
        let (ctx, chats) = operator_functions::connect_chats(&config);
        lambda::serve_invoke(move |event| operator_functions::prepare_chat::handle(ctx.clone(), chats.clone(), event)).await
    }))
}
