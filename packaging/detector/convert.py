"""usage: convert.py TFLITE ONNX

Makes an ONNX model of the TensorFlow Lite model of packaging/detector/make. It knows the operations
of that one only, and refuses any other. The result takes `picture`, 1x3x300x300 of -1 to 1, and
gives `boxes`, 1x1917x4, and `scores`, 1x1917x24. The same file comes out each time.
"""

import sys
from pathlib import Path

import numpy
import onnx
import tflite
from onnx import helper, numpy_helper

# Its names for what goes in and comes out, and ours.
NAMES = {
    "normalized_input_image_tensor": "picture",
    "raw_outputs/box_encodings": "boxes",
    "raw_outputs/class_predictions": "scores",
}
OPERATIONS = {
    number: name for name, number in vars(tflite.BuiltinOperator).items() if isinstance(number, int)
}
TYPES = {
    tflite.TensorType.FLOAT32: numpy.float32,
    tflite.TensorType.FLOAT16: numpy.float16,
    tflite.TensorType.INT32: numpy.int32,
}


class Refused(Exception):
    """Nothing that is known here."""


class Converter:
    """Goes over a model once; each operation finds made what it takes.

    TensorFlow has the channels of a pixel beside each other (NHWC), ONNX has planes (NCHW). So what
    has four dimensions is a picture with planes here, until it is reshaped.
    """

    def __init__(self, content):
        self.model = tflite.Model.GetRootAsModel(content, 0)
        if self.model.SubgraphsLength() != 1:
            raise Refused("a model of several graphs")
        self.graph = self.model.Subgraphs(0)
        self.nodes = []
        self.constants = []
        self.dequantised = {}  # by the number of their tensors, as numpy arrays
        self.pictures = {self.graph.Inputs(0)}  # tensors that have planes in ONNX

    def convert(self):
        """Gives the ONNX model."""
        for at in range(self.graph.OperatorsLength()):
            operation = self.graph.Operators(at)
            name = OPERATIONS[self.code(operation)]
            convert = getattr(self, name.lower(), None)
            if convert is None:
                raise Refused(f"operation {name}")
            inputs = [operation.Inputs(each) for each in range(operation.InputsLength())]
            convert(operation, inputs, operation.Outputs(0))
        batch, height, width, channels = self.shape(self.graph.Inputs(0))
        outputs = [self.graph.Outputs(each) for each in range(self.graph.OutputsLength())]
        graph = helper.make_graph(
            self.nodes,
            "ssd_mobilenet_v2_oidv4",
            [self.value(self.graph.Inputs(0), [batch, channels, height, width])],
            [self.value(output, self.shape(output)) for output in outputs],
            self.constants,
        )
        model = helper.make_model(
            graph,
            # Reshape and Clip as they are since then; all that reads ONNX today has both.
            ir_version=8,
            opset_imports=[helper.make_opsetid("", 13)],
            producer_name="eyelid",
            doc_string="SSD MobileNetV2 of MediaPipe (Apache-2.0), trained on Open Images V4",
        )
        onnx.checker.check_model(model, full_check=True)
        return model

    # What an operation becomes.

    def dequantize(self, _, inputs, output):
        """A constant of half precision; it is one of single precision from here on."""
        self.dequantised[output] = self.constant(inputs[0]).astype(numpy.float32)

    def conv_2d(self, operation, inputs, output):
        """Weights are (out, height, width, in) there, (out, in, height, width) in ONNX."""
        options = self.options(operation, tflite.Conv2DOptions())
        weights = self.constant(inputs[1]).transpose(0, 3, 1, 2)
        self.convolve(options, inputs, output, weights, 1)

    def depthwise_conv_2d(self, operation, inputs, output):
        """Weights are (1, height, width, channel) there."""
        options = self.options(operation, tflite.DepthwiseConv2DOptions())
        if options.DepthMultiplier() != 1:
            raise Refused("a depthwise convolution that makes more channels")
        weights = self.constant(inputs[1]).transpose(3, 0, 1, 2)
        self.convolve(options, inputs, output, weights, len(weights))

    def convolve(self, options, inputs, output, weights, groups):
        if options.DilationHFactor() != 1 or options.DilationWFactor() != 1:
            raise Refused("a dilated convolution")
        strides = [options.StrideH(), options.StrideW()]
        sides = self.shape(inputs[0])[1:3]
        kernel = list(weights.shape[2:])
        pads = zip(*map(padding, sides, kernel, strides), strict=True)
        if options.Padding() != tflite.Padding.SAME:
            raise Refused("a convolution without padding")
        name = self.name(output)
        constants = [
            self.add_constant(f"{name}/weights", weights),
            self.add_constant(f"{name}/bias", self.constant(inputs[2])),
        ]
        self.add_activated(
            options.FusedActivationFunction(),
            "Conv",
            [self.name(inputs[0]), *constants],
            output,
            kernel_shape=kernel,
            strides=strides,
            pads=[each for side in pads for each in side],
            group=groups,
        )
        self.pictures.add(output)

    def add(self, operation, inputs, output):
        options = self.options(operation, tflite.AddOptions())
        if not self.pictures.issuperset(inputs):
            raise Refused("an addition of something else than pictures")
        names = [self.name(each) for each in inputs]
        self.add_activated(options.FusedActivationFunction(), "Add", names, output)
        self.pictures.add(output)

    def reshape(self, _, inputs, output):
        name, source = self.name(output), self.name(inputs[0])
        if inputs[0] in self.pictures:
            beside = f"{name}/beside"
            self.nodes.append(helper.make_node("Transpose", [source], [beside], perm=[0, 2, 3, 1]))
            source = beside
        shape = numpy.array(self.shape(output), numpy.int64)
        constant = self.add_constant(f"{name}/shape", shape)
        self.nodes.append(helper.make_node("Reshape", [source, constant], [name]))

    def concatenation(self, operation, inputs, output):
        options = self.options(operation, tflite.ConcatenationOptions())
        if self.pictures.intersection(inputs):
            raise Refused("a concatenation of pictures")
        names = [self.name(each) for each in inputs]
        self.nodes.append(
            helper.make_node("Concat", names, [self.name(output)], axis=options.Axis())
        )

    # What the model has, and what is made of it.

    def code(self, operation):
        code = self.model.OperatorCodes(operation.OpcodeIndex())
        return max(code.BuiltinCode(), code.DeprecatedBuiltinCode())

    def options(self, operation, options):
        table = operation.BuiltinOptions()
        options.Init(table.Bytes, table.Pos)
        return options

    def name(self, tensor):
        name = self.graph.Tensors(tensor).Name().decode()
        return NAMES.get(name, name)

    def shape(self, tensor):
        return self.graph.Tensors(tensor).ShapeAsNumpy().tolist()

    def value(self, tensor, shape):
        return helper.make_tensor_value_info(self.name(tensor), onnx.TensorProto.FLOAT, shape)

    def constant(self, tensor):
        """Gives a constant as an array."""
        if tensor in self.dequantised:
            return self.dequantised[tensor]
        found = self.graph.Tensors(tensor)
        content = self.model.Buffers(found.Buffer()).DataAsNumpy().tobytes()
        return numpy.frombuffer(content, TYPES[found.Type()]).reshape(self.shape(tensor))

    def add_constant(self, name, array):
        self.constants.append(numpy_helper.from_array(numpy.ascontiguousarray(array), name))
        return name

    def add_activated(self, activation, operation, inputs, output, **attributes):
        """Adds an operation with what TensorFlow Lite does after it in the same breath."""
        name = self.name(output)
        if activation == tflite.ActivationFunctionType.NONE:
            self.nodes.append(helper.make_node(operation, inputs, [name], **attributes))
            return
        if activation != tflite.ActivationFunctionType.RELU6:
            raise Refused(f"activation {activation}")
        if not any(constant.name == "six" for constant in self.constants):
            self.add_constant("zero", numpy.float32(0))
            self.add_constant("six", numpy.float32(6))
        before = f"{name}/before"
        self.nodes.append(helper.make_node(operation, inputs, [before], **attributes))
        self.nodes.append(helper.make_node("Clip", [before, "zero", "six"], [name]))


def padding(side, kernel, stride):
    """Gives what TensorFlow's SAME adds before and behind: the odd one is behind."""
    missing = max((-(-side // stride) - 1) * stride + kernel - side, 0)
    return missing // 2, missing - missing // 2


def main(source, destination):
    model = Converter(Path(source).read_bytes()).convert()
    Path(destination).write_bytes(model.SerializeToString(deterministic=True))


if __name__ == "__main__":
    main(*sys.argv[1:])
