//! What the fuzz targets share. See [`checks`].

pub mod checks;
