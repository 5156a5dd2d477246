"""Lower bounds: engines that push the deviation up and keep the point."""
