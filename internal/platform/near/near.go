// Package near guesses what a misspelt word stands for.
package near

// Of is the known word that is nearest to word: the fewest letters (bytes) added,
// dropped or changed, the first of several; "" when more than half of word would be.
func Of(word string, known []string) string {
	best, least := "", len(word)/2+1
	for _, k := range known {
		if d := Distance(word, k); d < least {
			best, least = k, d
		}
	}
	return best
}

// Distance is the number of letters (bytes) to add, drop or change (Levenshtein).
func Distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
