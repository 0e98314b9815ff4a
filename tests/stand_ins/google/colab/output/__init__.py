"""As ``google.colab.output``, of which anywidget takes the widget manager."""

from google.colab.output import _widgets

enable_custom_widget_manager = _widgets.enable_custom_widget_manager
