package defender

// techniquesSent ends the externalId of rows that were sent with techniques, so that
// a listing tells whether the tenant kept them.
const techniquesSent = "+t"

const droppedHelp = "set mitre_techniques: false: this tenant does not keep the field"
