//! The client leg as a program.
