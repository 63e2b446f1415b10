"""What distilling costs: counted from the configuration, predicted from short runs, measured by the steps."""
