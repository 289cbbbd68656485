//! ONNX graphs written by hand: protobuf fields, and encoders that cause trouble when they run.

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// A protobuf field that holds bytes.
pub(super) fn field(number: u64, payload: &[u8]) -> Vec<u8> {
    [varint(number << 3 | 2), varint(payload.len() as u64), payload.to_vec()].concat()
}

/// A protobuf field that holds a number.
pub(super) fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

/// Graphs within attributes of graphs.
pub(super) fn nested(depth: usize) -> Vec<u8> {
    (0..depth).fold(Vec::new(), |inner, _| field(1, &field(5, &field(6, &inner))))
}

fn node(inputs: &[&str], output: &str, op: &str, attributes: &[Vec<u8>]) -> Vec<u8> {
    let inputs: Vec<u8> = inputs.iter().flat_map(|name| field(1, name.as_bytes())).collect();
    field(1, &[inputs, field(2, output.as_bytes()), field(4, op.as_bytes()), attributes.concat()].concat())
}

fn attribute(name: &str, kind: u64, value: &[u8]) -> Vec<u8> {
    field(5, &[field(1, name.as_bytes()), value.to_vec(), number(20, kind)].concat())
}

/// A number as an attribute.
fn flag(name: &str, value: u64) -> Vec<u8> {
    attribute(name, 2, &number(3, value))
}

/// A dimension that is no number is a name.
fn value(name: &str, element: u64, dims: &[&str]) -> Vec<u8> {
    let dim = |name: &&str| field(1, &name.parse().map_or_else(|_| field(2, name.as_bytes()), |n: u64| number(1, n)));
    let shape = field(2, &dims.iter().flat_map(dim).collect::<Vec<u8>>());
    let tensor_type = field(1, &[number(1, element), shape].concat());
    [field(1, name.as_bytes()), field(2, &tensor_type)].concat()
}

fn tensor(name: &str, element: u64, dims: &[u64], bytes: &[u8]) -> Vec<u8> {
    let dims: Vec<u8> = dims.iter().flat_map(|&dim| number(1, dim)).collect();
    field(5, &[dims, number(2, element), field(8, name.as_bytes()), field(9, bytes)].concat())
}

const FLOAT: u64 = 1;
const INT64: u64 = 7;
const BOOL: u64 = 9;

fn model(graph: &[Vec<u8>]) -> Vec<u8> {
    [number(1, 8), field(8, &number(2, 17)), field(7, &graph.concat())].concat()
}

/// The inputs and the output of a text encoder of eight dimensions.
fn encoder_ports() -> [Vec<u8>; 3] {
    [
        field(11, &value("input_ids", INT64, &["b", "s"])),
        field(11, &value("attention_mask", INT64, &["b", "s"])),
        field(12, &value("sentence_embedding", FLOAT, &["b", "8"])),
    ]
}

/// The movie tower and the scorer of a network whose rating of the movie in row r is 3 + `slope` × r, whoever asks.
pub(super) fn straight_network(slope: f32) -> [Vec<u8>; 2] {
    let tower = [
        node(&["movie_row", "second"], "column", "Unsqueeze", &[]),
        node(&["column"], "movie_vector", "Cast", &[flag("to", FLOAT)]),
        field(2, b"tower"),
        tensor("second", INT64, &[1], &1_i64.to_le_bytes()),
        field(11, &value("movie_row", INT64, &["n"])),
        field(11, &value("numeric", FLOAT, &["n", "4"])),
        field(11, &value("genres", FLOAT, &["n", "3"])),
        field(12, &value("movie_vector", FLOAT, &["n", "1"])),
    ];
    let scorer = [
        node(&["movie_vectors", "second"], "rows", "Squeeze", &[]),
        node(&["rows", "slope"], "raised", "Mul", &[]),
        node(&["raised", "three"], "rating", "Add", &[]),
        field(2, b"scorer"),
        tensor("second", INT64, &[1], &1_i64.to_le_bytes()),
        tensor("slope", FLOAT, &[], &slope.to_le_bytes()),
        tensor("three", FLOAT, &[], &3.0_f32.to_le_bytes()),
        field(11, &value("user_row", INT64, &["1"])),
        field(11, &value("movie_vectors", FLOAT, &["n", "1"])),
        field(12, &value("rating", FLOAT, &["n"])),
    ];
    [model(&tower), model(&scorer)]
}

/// A sound graph of some hundred bytes that wants 64 GiB as soon as it is loaded or run.
pub(super) fn shape_bomb() -> Vec<u8> {
    let shape = [1_u64 << 20, 1 << 14].map(u64::to_le_bytes).concat();
    let mut graph = vec![
        node(&["shape"], "huge", "ConstantOfShape", &[]),
        node(&["huge"], "largest", "ReduceMax", &[]),
        node(&["input_ids"], "ids", "Cast", &[flag("to", FLOAT)]),
        node(&["ids", "largest"], "sum", "Add", &[]),
        node(&["sum"], "sentence_embedding", "Identity", &[]),
        field(2, b"bomb"),
        tensor("shape", INT64, &[2], &shape),
    ];
    graph.extend(encoder_ports());
    model(&graph)
}

/// What happens when an encoder runs.
#[derive(Clone, Copy)]
pub(super) enum Trouble {
    /// A loop that nobody will see the end of.
    Endless,
    /// A tensor of 16 GiB.
    Greedy,
}

/// A sound encoder that gives every text the same embedding, (1, 0, …); but a run whose tokens sum to more than
/// `harmless` gets into trouble.
pub(super) fn encoder_in_trouble(trouble: Trouble, harmless: i64) -> Vec<u8> {
    let int = |name: &str, value: i64| tensor(name, INT64, &[], &value.to_le_bytes());
    let float = |name: &str, value: f32| tensor(name, FLOAT, &[], &value.to_le_bytes());
    let first_axis_unit: Vec<u8> =
        [1.0_f32, 0., 0., 0., 0., 0., 0., 0.].into_iter().flat_map(f32::to_le_bytes).collect();
    let (much, little) = match trouble {
        Trouble::Endless => (1 << 60, 0),
        Trouble::Greedy => (1 << 32, 1),
    };
    let mut graph = vec![
        node(&["input_ids"], "total", "ReduceSum", &[flag("keepdims", 0)]),
        node(&["total", "harmless"], "is_much", "Greater", &[]),
        node(&["is_much", "much", "little"], "n", "Where", &[]),
    ];
    graph.extend(match trouble {
        Trouble::Endless => {
            let body = [
                node(&["goes_on"], "goes_on_again", "Identity", &[]),
                node(&["counted", "one"], "counted_on", "Add", &[]),
                field(2, b"body"),
                field(11, &value("turn", INT64, &[])),
                field(11, &value("goes_on", BOOL, &[])),
                field(11, &value("counted", FLOAT, &[])),
                field(12, &value("goes_on_again", BOOL, &[])),
                field(12, &value("counted_on", FLOAT, &[])),
            ];
            vec![node(&["n", "", "zero"], "work", "Loop", &[attribute("body", 5, &field(6, &body.concat()))])]
        }
        Trouble::Greedy => vec![
            node(&["n", "axes"], "shape", "Unsqueeze", &[]),
            node(&["shape"], "huge", "ConstantOfShape", &[]),
            node(&["huge"], "work", "ReduceMax", &[flag("keepdims", 0)]),
        ],
    });
    graph.extend([
        node(&["input_ids"], "ids", "Cast", &[flag("to", FLOAT)]),
        node(&["ids"], "largest", "ReduceMax", &[attribute("axes", 7, &number(8, 1)), flag("keepdims", 1)]),
        node(&["largest", "work"], "both", "Add", &[]),
        node(&["both", "zero"], "nothing", "Mul", &[]),
        node(&["nothing", "unit"], "sentence_embedding", "Add", &[]),
        field(2, b"trouble"),
        int("harmless", harmless),
        int("much", much),
        int("little", little),
        tensor("axes", INT64, &[1], &0_i64.to_le_bytes()),
        float("zero", 0.0),
        float("one", 1.0),
        tensor("unit", FLOAT, &[1, 8], &first_axis_unit),
    ]);
    graph.extend(encoder_ports());
    model(&graph)
}
