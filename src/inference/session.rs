//! What the contract says of a graph's inputs and outputs, checked once at load; and reading outputs.

use ort::session::{Session, SessionOutputs};
use ort::value::{Outlet, TensorElementType};

use super::InferenceError;

/// A tensor that goes in or comes out.
pub(super) struct Port {
    /// Its name.
    pub(super) name: &'static str,
    /// Its element type.
    pub(super) element: TensorElementType,
    /// Its dimensions; `None` is free (n).
    pub(super) dims: Vec<Option<usize>>,
}

impl Port {
    /// A port of 64-bit integers.
    pub(super) fn int64(name: &'static str, dims: impl Into<Vec<Option<usize>>>) -> Self {
        Self { name, element: TensorElementType::Int64, dims: dims.into() }
    }

    /// A port of single-precision numbers.
    pub(super) fn float32(name: &'static str, dims: impl Into<Vec<Option<usize>>>) -> Self {
        Self { name, element: TensorElementType::Float32, dims: dims.into() }
    }

    fn text(&self) -> String {
        let dims: Vec<String> = self.dims.iter().map(|dim| dim.map_or("n".to_owned(), |dim| dim.to_string())).collect();
        format!("{} {}[{}]", self.name, element_name(self.element), dims.join(","))
    }
}

fn found_text(outlet: &Outlet) -> String {
    match outlet.dtype().tensor_type().zip(outlet.dtype().tensor_shape()) {
        Some((element, shape)) => {
            let dims: Vec<String> =
                shape.iter().map(|&dim| if dim < 0 { "n".to_owned() } else { dim.to_string() }).collect();
            format!("{}[{}]", element_name(element), dims.join(","))
        }
        None => "not a tensor".to_owned(),
    }
}

fn element_name(element: TensorElementType) -> String {
    match element {
        TensorElementType::Int64 => "int64".to_owned(),
        TensorElementType::Float32 => "float32".to_owned(),
        other => other.to_string(),
    }
}

/// Compares a session's inputs and outputs with the contract: exactly the inputs, at least the outputs.
pub(super) fn check_signature(
    file: &str,
    session: &Session,
    inputs: &[Port],
    outputs: &[Port],
) -> Result<(), InferenceError> {
    let fail = |problem: String| Err(InferenceError::Signature { file: file.to_owned(), problem });
    if let Some(extra) = session.inputs().iter().find(|outlet| inputs.iter().all(|port| port.name != outlet.name())) {
        return fail(format!("it has an input {:?}, which is not known", extra.name()));
    }
    for (what, ports, outlets) in [("input", inputs, session.inputs()), ("output", outputs, session.outputs())] {
        for port in ports {
            let Some(outlet) = outlets.iter().find(|outlet| outlet.name() == port.name) else {
                return fail(format!("the {what} {} is missing", port.text()));
            };
            if !agrees(port, outlet, what == "input") {
                return fail(format!("the {what} {} is {}", port.text(), found_text(outlet)));
            }
        }
    }
    Ok(())
}

fn agrees(port: &Port, outlet: &Outlet, is_input: bool) -> bool {
    let Some((element, shape)) = outlet.dtype().tensor_type().zip(outlet.dtype().tensor_shape()) else { return false };
    let fits = |(&dim, &found): (&Option<usize>, &i64)| match dim {
        Some(dim) => found == -1 || usize::try_from(found) == Ok(dim),
        // An input of any length must really take any length; of an output the graph may not know it.
        None => found == -1 || !is_input,
    };
    element == port.element && shape.len() == port.dims.len() && port.dims.iter().zip(shape.iter()).all(fits)
}

/// The numbers of an output, which must have this many.
pub(super) fn floats(outputs: &SessionOutputs<'_>, name: &str, n: usize) -> Result<Vec<f32>, InferenceError> {
    let output = outputs.get(name).ok_or_else(|| InferenceError::Run(format!("there is no output {name}")))?;
    let (shape, values) = output.try_extract_tensor::<f32>().map_err(run_error)?;
    if values.len() != n {
        let problem = format!("the output {name} has {} numbers in the shape {shape:?}, not {n}", values.len());
        return Err(InferenceError::Run(problem));
    }
    if values.iter().any(|value| !value.is_finite()) {
        return Err(InferenceError::Run(format!("the output {name} has a number that is not finite")));
    }
    Ok(values.to_vec())
}

#[expect(clippy::needless_pass_by_value, reason = "the form that map_err takes")]
pub(super) fn run_error(error: ort::Error) -> InferenceError {
    InferenceError::Run(error.to_string())
}
