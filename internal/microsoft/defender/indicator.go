package defender

import "encoding/json"

// Indicator is the writable part of the API's indicator resource. Property names
// are case-sensitive at the service.
type Indicator struct {
	Value              string `json:"indicatorValue"`
	Type               string `json:"indicatorType"`
	Action             string `json:"action"`
	Title              string `json:"title"`
	Description        string `json:"description"`
	Severity           string `json:"severity,omitempty"`
	Application        string `json:"application,omitempty"`
	RecommendedActions string `json:"recommendedActions,omitempty"`
	EducateURL         string `json:"educateUrl,omitempty"`
	GenerateAlert      bool   `json:"generateAlert"`
	ExternalID         string `json:"externalId,omitempty"`
	ExpirationTime     string `json:"expirationTime,omitempty"`
	// RBACGroupNames are the device groups it applies to; none is every device.
	RBACGroupNames []string `json:"rbacGroupNames,omitempty"`
	// MitreTechniques and Category are on the wire, but on no page of the API.
	MitreTechniques []string `json:"mitreTechniques,omitempty"`
	Category        string   `json:"category,omitempty"`
}

// Listed is an indicator as the service lists it. Raw is the whole object.
type Listed struct {
	ID             string   `json:"id"`
	Value          string   `json:"indicatorValue"`
	Type           string   `json:"indicatorType"`
	Action         string   `json:"action"`
	Title          string   `json:"title"`
	Description    string   `json:"description"`
	Severity       string   `json:"severity"`
	Recommended    string   `json:"recommendedActions"`
	GenerateAlert  bool     `json:"generateAlert"`
	ExternalID     string   `json:"externalId"`
	ExpirationTime string   `json:"expirationTime"`
	CreatedBy      string   `json:"createdBy"`
	RBACGroups     []string `json:"rbacGroupNames"`
	EducateURL     string   `json:"educateUrl"`
	Techniques     []string `json:"mitreTechniques"`

	Raw json.RawMessage `json:"-"`
}

// UnmarshalJSON keeps the whole object in Raw besides reading the known fields.
func (l *Listed) UnmarshalJSON(data []byte) error {
	type plain Listed
	var p plain
	if err := json.Unmarshal(data, &p); err != nil {
		return err
	}
	*l = Listed(p)
	l.Raw = append(json.RawMessage(nil), data...)
	return nil
}

// ImportResult is the service's answer for one imported indicator. Failed items
// come in a call that as a whole answered 200.
type ImportResult struct {
	ID            string `json:"id"`
	Indicator     string `json:"indicator"`
	IsFailed      bool   `json:"isFailed"`
	FailureReason string `json:"failureReason"`
}
