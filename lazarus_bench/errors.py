"""The one exception that a user's mistake raises; the plugin and the command line print it without a trace."""


class UserError(Exception):
    """One sentence that names the input at fault and the remedy.

    Raise it for anything the user can mend (a missing directory, an unknown name, a number out of
    range). Everything else keeps its own type, so that our bugs stay loud.
    """


class NotApplicable(Exception):  # noqa: N818 - a finding about the subject, not a failure
    """A claim that cannot be asked of this subject; the message says why.

    Raised by instruments (a word that is no single token, a family without routers); the claim's
    verdict is then "not applicable", never a failure.
    """
