"""Makes the model artifacts that the daemon serves: trains, exports, describes. Never serves.

Exporting needs numpy, onnx, safetensors and tokenizers; only training needs PyTorch.
"""
