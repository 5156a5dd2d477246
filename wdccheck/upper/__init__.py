"""Upper bounds: engines that cap the deviation over regions."""
