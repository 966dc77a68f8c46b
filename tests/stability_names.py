"""SVD's tensors under Stability AI's names, derived from the modules of generative-models (VideoUNet, VideoDecoder,
OpenCLIP's VisionTransformer) by walking them, and not from the program's table: the two check each other."""
import collections
import itertools

# One tensor of the single file. parts: (folder, diffusers' name), which it holds one after another along the first axis.
Tensor = collections.namedtuple("Tensor", "name shape parts transposed")


def _unet_blocks(layers, levels):
    """(module of generative-models, diffusers' module, kind), in the order VideoUNet builds them."""
    yield "input_blocks.0.0", "conv_in", "plain"
    index = itertools.count(1)
    for level in range(levels):
        for layer in range(layers):
            i = next(index)
            yield f"input_blocks.{i}.0", f"down_blocks.{level}.resnets.{layer}", "resnet"
            yield f"input_blocks.{i}.1", f"down_blocks.{level}.attentions.{layer}", "transformer"
        if level < levels - 1:
            yield f"input_blocks.{next(index)}.0.op", f"down_blocks.{level}.downsamplers.0.conv", "plain"
    yield "middle_block.0", "mid_block.resnets.0", "resnet"
    yield "middle_block.1", "mid_block.attentions.0", "transformer"
    yield "middle_block.2", "mid_block.resnets.1", "resnet"
    index = itertools.count()
    for block in range(levels):
        for layer in range(layers + 1):
            i, place = next(index), itertools.count()
            yield f"output_blocks.{i}.{next(place)}", f"up_blocks.{block}.resnets.{layer}", "resnet"
            yield (f"output_blocks.{i}", place), f"up_blocks.{block}.attentions.{layer}", "transformer"
            if layer == layers and block < levels - 1:
                yield (f"output_blocks.{i}", place), f"up_blocks.{block}.upsamplers.0", "plain"
    yield "out.0", "conv_norm_out", "plain"
    yield "out.2", "conv_out", "plain"
    for ours, theirs in [("time_embed", "time_embedding"), ("label_emb.0", "add_embedding")]:
        yield f"{ours}.0", f"{theirs}.linear_1", "plain"
        yield f"{ours}.2", f"{theirs}.linear_2", "plain"


RES_BLOCK = [("in_layers.0", "norm1"), ("in_layers.2", "conv1"), ("emb_layers.1", "time_emb_proj"),
             ("out_layers.0", "norm2"), ("out_layers.3", "conv2"), ("skip_connection", "conv_shortcut")]


def _inside(kind):
    """(module in generative-models, module in diffusers) inside a block."""
    if kind == "plain":
        yield "", ""
    elif kind == "resnet":
        for theirs, diffusers in RES_BLOCK:
            yield theirs, f"spatial_res_block.{diffusers}"
            yield f"time_stack.{theirs}", f"temporal_res_block.{diffusers}"
        yield "time_mixer", "time_mixer"
    elif kind == "transformer":
        for name in ("norm", "proj_in", "proj_out", "time_mixer"):
            yield name, name
        for depth in range(2):
            for name in ("norm_in", "norm1", "norm2", "norm3", *(f"{attn}.to_{x}" for attn in ("attn1", "attn2") for x in ("q", "k", "v", "out.0")),
                         *(f"{ff}.net.{x}" for ff in ("ff", "ff_in") for x in ("0.proj", "2"))):
                yield f"transformer_blocks.{depth}.{name}", f"transformer_blocks.{depth}.{name}"
                yield f"time_stack.{depth}.{name}", f"temporal_transformer_blocks.{depth}.{name}"
        yield "time_pos_embed.0", "time_pos_embed.linear_1"
        yield "time_pos_embed.2", "time_pos_embed.linear_2"


def _vae_modules(levels):
    """(module, diffusers' module) of the image encoder inside the conditioner and the video decoder."""
    encoder, decoder = "conditioner.embedders.3.encoder.encoder", "first_stage_model.decoder"
    yield "conditioner.embedders.3.encoder.quant_conv", "quant_conv"
    attention = [("norm", "group_norm"), ("q", "to_q"), ("k", "to_k"), ("v", "to_v"), ("proj_out", "to_out.0")]
    for side, name in [(encoder, "encoder"), (decoder, "decoder")]:
        yield f"{side}.conv_in", f"{name}.conv_in"
        yield f"{side}.conv_out", f"{name}.conv_out"
        yield f"{side}.norm_out", f"{name}.conv_norm_out"
        for theirs, diffusers in attention:
            yield f"{side}.mid.attn_1.{theirs}", f"{name}.mid_block.attentions.0.{diffusers}"
    yield f"{decoder}.conv_out.time_mix_conv", "decoder.time_conv_out"
    plain = [("norm1", "norm1"), ("conv1", "conv1"), ("norm2", "norm2"), ("conv2", "conv2"), ("nin_shortcut", "conv_shortcut")]
    encoder_blocks = [(f"{encoder}.mid.block_{i + 1}", f"encoder.mid_block.resnets.{i}") for i in range(2)]
    decoder_blocks = [(f"{decoder}.mid.block_{i + 1}", f"decoder.mid_block.resnets.{i}") for i in range(2)]
    for level in range(levels):
        yield f"{encoder}.down.{level}.downsample.conv", f"encoder.down_blocks.{level}.downsamplers.0.conv"
        yield f"{decoder}.up.{level}.upsample.conv", f"decoder.up_blocks.{levels - 1 - level}.upsamplers.0.conv"
        encoder_blocks += [(f"{encoder}.down.{level}.block.{i}", f"encoder.down_blocks.{level}.resnets.{i}") for i in range(2)]
        decoder_blocks += [(f"{decoder}.up.{level}.block.{i}", f"decoder.up_blocks.{levels - 1 - level}.resnets.{i}") for i in range(3)]
    for block, name in encoder_blocks:
        for theirs, diffusers in plain:
            yield f"{block}.{theirs}", f"{name}.{diffusers}"
    for block, name in decoder_blocks:
        for theirs, diffusers in plain:
            yield f"{block}.{theirs}", f"{name}.spatial_res_block.{diffusers}"
        for theirs, diffusers in RES_BLOCK:
            yield f"{block}.time_stack.{theirs}", f"{name}.temporal_res_block.{diffusers}"
        yield block, f"{name}.time_mixer"


def _clip_modules():
    visual = "conditioner.embedders.0.open_clip.model.visual"
    yield f"{visual}.ln_pre", "vision_model.pre_layrnorm"
    yield f"{visual}.ln_post", "vision_model.post_layernorm"
    for i in range(32):
        block, layer = f"{visual}.transformer.resblocks.{i}", f"vision_model.encoder.layers.{i}"
        for theirs, diffusers in [("ln_1", "layer_norm1"), ("ln_2", "layer_norm2"), ("attn.out_proj", "self_attn.out_proj"),
                                  ("mlp.c_fc", "mlp.fc1"), ("mlp.c_proj", "mlp.fc2")]:
            yield f"{block}.{theirs}", f"{layer}.{diffusers}"


def stability_tensors(shapes, layers, levels, vae_levels):
    """The single file of a model whose diffusers tensors have these shapes, {(folder, name): shape}."""
    tensors = []

    def add(name, folder, parts, shape=None, transposed=False):
        parts = [(folder, part) for part in parts]
        if parts[0] not in shapes:
            return False
        first = shapes[parts[0]]
        tensors.append(Tensor(name, shape or [first[0] * len(parts), *first[1:]], parts, transposed))
        return True

    def module(theirs, folder, diffusers, one_by_one=False):
        found = [add(f"{theirs}.{end}", folder, [f"{diffusers}.{end}"]) for end in ("weight", "bias", "mix_factor")]
        if one_by_one and found[0]:  # generative-models has convolutions where diffusers has matrices
            weight = next(t for t in reversed(tensors) if t.name == f"{theirs}.weight")
            if len(weight.shape) == 2:
                tensors[tensors.index(weight)] = weight._replace(shape=[*weight.shape, 1, 1])
        return any(found)

    for theirs, diffusers, kind in _unet_blocks(layers, levels):
        if not isinstance(theirs, str):  # its place counts only the modules that are there
            if not any(name.startswith(f"{diffusers}.") for _, name in shapes):
                continue
            theirs = f"{theirs[0]}.{next(theirs[1])}"
            if "upsamplers" in diffusers:
                theirs, diffusers = f"{theirs}.conv", f"{diffusers}.conv"
        for inner, name in _inside(kind):
            module(".".join(filter(None, ["model.diffusion_model", theirs, inner])), "unet", ".".join(filter(None, [diffusers, name])))
    for theirs, diffusers in _vae_modules(vae_levels):
        module(theirs, "vae", diffusers, one_by_one=".attentions." in diffusers)
    for theirs, diffusers in _clip_modules():
        module(theirs, "image_encoder", diffusers)
    visual, embeddings = "conditioner.embedders.0.open_clip.model.visual", "vision_model.embeddings"
    add(f"{visual}.class_embedding", "image_encoder", [f"{embeddings}.class_embedding"])
    add(f"{visual}.conv1.weight", "image_encoder", [f"{embeddings}.patch_embedding.weight"])
    add(f"{visual}.positional_embedding", "image_encoder", [f"{embeddings}.position_embedding.weight"])
    rows, columns = shapes["image_encoder", "visual_projection.weight"]
    add(f"{visual}.proj", "image_encoder", ["visual_projection.weight"], [columns, rows], transposed=True)
    for i, end in itertools.product(range(32), ("weight", "bias")):
        attention = f"vision_model.encoder.layers.{i}.self_attn"
        add(f"{visual}.transformer.resblocks.{i}.attn.in_proj_{end}", "image_encoder", [f"{attention}.{x}_proj.{end}" for x in "qkv"])
    return tensors
