package sensorthingsweb

// WriteConformance lists what writing fulfils, relative to read.Requirements.
func WriteConformance() []string {
	return []string{"create-update-delete", "batch-request/batch-request", "data-array/data-array"}
}
