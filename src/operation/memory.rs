//! Memory for results that may be large.

/// `rows` times `dimensions` zeros. A server decides on the dimensions, so that no memory may hold
/// them is its fault. It is tried for first: zeroed memory is lazily given, and its lack would end
/// the process.
pub(super) fn zeroed(rows: usize, dimensions: usize) -> Result<Vec<f32>, String> {
    let too_large = || format!("{rows} rows of {dimensions} dimensions do not fit in memory");
    let length = rows.checked_mul(dimensions).ok_or_else(too_large)?;
    let mut trial = Vec::<f32>::new();
    trial.try_reserve_exact(length).map_err(|_| too_large())?;
    drop(trial);
    let mut values = vec![0.0; length];
    ask_for_huge_pages(&mut values);
    Ok(values)
}

/// The size of a huge page on `x86_64`, and the least on `aarch64`.
#[cfg(target_os = "linux")]
const HUGE_PAGE: usize = 2 << 20;

/// Smaller results may lie where an allocator puts others afterwards, which would get huge pages too;
/// from here on allocators take memory from the system for each alone. In bytes.
#[cfg(target_os = "linux")]
const LARGE: usize = 32 << 20;

/// Asks for pages of 2 MiB in place of 4 KiB: each page costs a fault when it is first written, and
/// with the kernel's usual setting (`madvise`) only those who ask get large ones. Where memory is in
/// pieces, the kernel may have to move some for them: it is still less than 512 faults.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "madvise takes an address")]
fn ask_for_huge_pages(values: &mut [f32]) {
    if size_of_val(values) < LARGE {
        return;
    }
    let memory = values.as_mut_ptr_range();
    let start = memory.start.addr().next_multiple_of(HUGE_PAGE);
    let end = memory.end.addr() / HUGE_PAGE * HUGE_PAGE;
    let length = end - start;
    let place = memory.start.with_addr(start).cast();
    // SAFETY: these pages lie within `values`, which nobody else can reach meanwhile, and the advice
    // changes neither what they hold nor who may read them.
    let advised = unsafe { rustix::mm::madvise(place, length, rustix::mm::Advice::LinuxHugepage) };
    if let Err(cause) = advised {
        log::debug!("no huge pages for {length} bytes: {cause}");
    }
}

#[cfg(not(target_os = "linux"))]
fn ask_for_huge_pages(_values: &mut [f32]) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_cannot_be_had_is_refused() {
        for (rows, dimensions) in [(usize::MAX, 2), (1 << 40, 1 << 20)] {
            let refused = zeroed(rows, dimensions).unwrap_err();
            assert!(refused.contains(&rows.to_string()), "{refused}");
        }
    }

    #[test]
    fn memory_of_any_size_is_zeroed() {
        for length in [0, 1, 1000, 8 << 20, (8 << 20) + 1, (9 << 20) - 1] {
            let values = zeroed(length, 1).unwrap();
            assert_eq!(values.len(), length);
            assert!(values.iter().all(|value| value.to_bits() == 0));
        }
    }
}
