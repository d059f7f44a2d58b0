//! The deployed function: wiring only.

fn main() -> Result<(), lambda::Error> {
    lambda::block_on(Box::pin(async {
        let config = lambda::Config::from_process_env()?;
        let (ctx, settle, batch) = outbound_functions::connect_chats(&config);
        let handle = move |body, until| outbound_functions::chat_timer::handle(ctx.clone(), settle.clone(), body, until);
        lambda::serve_batch(batch, handle).await
    }))
}
