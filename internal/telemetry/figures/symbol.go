package figures

// symbols are factor names that are the same in every language.
var symbols = map[string]string{
	"a21002": "NOx", "a21026": "SO₂", "a19001": "O₂", "a21024": "HCl", "a21005": "CO", "a05001": "CO₂", "a21003": "NO", "a21004": "NO₂",
	"a21018": "HF", "a21001": "NH₃", "w01018": "COD", "w01001": "pH", "w01017": "BOD₅", "w01019": "CODMn",
}

// Symbol is the name of a factor where it is the same in every language, "" where
// it is not.
func Symbol(code string) string { return symbols[code] }
