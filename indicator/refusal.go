package indicator

// Reason is the code of why a value was refused.
type Reason string

// Refusal is the error of a value that is no indicator of the wanted kind.
type Refusal struct {
	Text   string
	Kind   Kind
	Reason Reason
	Detail string
}

func (r *Refusal) Error() string { return string(r.Reason) + ": " + r.Detail }
