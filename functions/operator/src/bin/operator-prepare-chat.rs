//! The deployed function: wiring only.

fn main() -> Result<(), lambda::Error> {
    lambda::block_on(Box::pin(async {
        let config = lambda::Config::from_process_env()?;
        let (ctx, chats, records) = operator_functions::connect_prepare(&config);
        let handle = move |event| operator_functions::prepare_chat::handle(ctx.clone(), chats.clone(), records.clone(), event);
        lambda::serve_invoke(handle).await
    }))
}
