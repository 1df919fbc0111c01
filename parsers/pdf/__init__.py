"""PDF, read by PDFium and, where that fails, by pypdf."""
