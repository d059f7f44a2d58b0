//! The end of a business's connection, as far as it is ours (section 8.6). What is left to do at vcita does
//! [`crate::upkeep`].

use app::AppError;
use model::{AccountId, EpochMillis, InstallPhase, Installed};
use ports::{Installs, Saved};

/// How often what is installed is looked at again because somebody else changed it.
const RACES: usize = 4;

/// Marks what an account has as to be removed, unless it is over already or the account has another channel by now. Without a
/// channel there may still be tokens.
///
/// # Errors
/// [`AppError::Unavailable`] when it is not known to be stored.
pub(crate) async fn close(
    store: &(impl Installs + ?Sized),
    account: &AccountId,
    channel: Option<&str>,
    now: EpochMillis,
) -> Result<(), AppError> {
    for _ in 0..RACES {
        let directory = store.directory().await?;
        let Some(known) = directory.accounts.get(account).filter(|known| known.installation() == channel) else {
            return Ok(());
        };
        if known.installed.as_ref().is_some_and(|installed| installed.phase.is_over()) {
            return Ok(());
        }
        let closing = Installed { id: channel.map(str::to_owned), phase: InstallPhase::Closing, since: now };
        if store.replace_installed(account, known.installed.as_ref(), Some(&closing)).await? == Saved::Yes {
            tracing::info!(account.id = %account, "account {account} is being disconnected");
            return Ok(());
        }
    }
    Err(AppError::Unavailable(ports::PortError::Busy))
}
