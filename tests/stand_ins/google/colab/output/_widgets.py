"""As ``google.colab.output._widgets``, without its hook on what is displayed."""

URL = (
    "https://ssl.gstatic.com/colaboratory-static/widgets/colab-cdn-widget-manager/x/manager.min.js"
)

_installed_url = None


def enable_custom_widget_manager():
    """Let widgets that are not Colab's own be loaded."""
    global _installed_url  # noqa: PLW0603 - as there
    _installed_url = URL
