//! With a shared tier behind: what stands in there, and for whom.
