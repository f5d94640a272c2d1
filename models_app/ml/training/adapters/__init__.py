"""Training of adapters: low-rank changes of a pretrained model whose own weights stay as they are."""
