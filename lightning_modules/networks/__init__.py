"""Networks: plain `nn.Module`s built from primitive arguments."""
