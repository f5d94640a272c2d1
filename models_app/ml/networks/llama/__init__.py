"""The Llama: a pretrained transformer whose weights stay frozen, with a low-rank adapter that a training changes."""
