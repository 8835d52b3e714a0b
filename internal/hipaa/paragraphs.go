package hipaa

// The paragraphs that controls cite, with their headings in the Code (45 CFR
// part 160, subpart B, and part 164, subparts C, D and E). Required and addressable are as marked there
// by "(Required)" and "(Addressable)".
var (
	StateLaw                  = cite("160.203(b)", "General rule and exceptions", Standard)
	RiskAnalysis              = cite("164.308(a)(1)(ii)(A)", "Risk analysis", Required)
	RiskManagement            = cite("164.308(a)(1)(ii)(B)", "Risk management", Required)
	ActivityReview            = cite("164.308(a)(1)(ii)(D)", "Information system activity review", Required)
	AssignedResponsibility    = cite("164.308(a)(2)", "Assigned security responsibility", Standard)
	AccessManagement          = cite("164.308(a)(4)(i)", "Information access management", Standard)
	AccessAuthorization       = cite("164.308(a)(4)(ii)(B)", "Access authorization", Addressable)
	AccessModification        = cite("164.308(a)(4)(ii)(C)", "Access establishment and modification", Addressable)
	MaliciousSoftware         = cite("164.308(a)(5)(ii)(B)", "Protection from malicious software", Addressable)
	LoginMonitoring           = cite("164.308(a)(5)(ii)(C)", "Log-in monitoring", Addressable)
	PasswordManagement        = cite("164.308(a)(5)(ii)(D)", "Password management", Addressable)
	IncidentResponse          = cite("164.308(a)(6)(ii)", "Response and reporting", Required)
	ContingencyCriticality    = cite("164.308(a)(7)(ii)(E)", "Applications and data criticality analysis", Addressable)
	MediaReuse                = cite("164.310(d)(2)(ii)", "Media re-use", Required)
	Accountability            = cite("164.310(d)(2)(iii)", "Accountability", Addressable)
	DataBackupAndStorage      = cite("164.310(d)(2)(iv)", "Data backup and storage", Addressable)
	AccessControl             = cite("164.312(a)(1)", "Access control", Standard)
	UniqueUserIdentification  = cite("164.312(a)(2)(i)", "Unique user identification", Required)
	EmergencyAccess           = cite("164.312(a)(2)(ii)", "Emergency access procedure", Required)
	AutomaticLogoff           = cite("164.312(a)(2)(iii)", "Automatic logoff", Addressable)
	EncryptionAtRest          = cite("164.312(a)(2)(iv)", "Encryption and decryption", Addressable)
	AuditControls             = cite("164.312(b)", "Audit controls", Standard)
	Integrity                 = cite("164.312(c)(1)", "Integrity", Standard)
	EntityAuthentication      = cite("164.312(d)", "Person or entity authentication", Standard)
	TransmissionSecurity      = cite("164.312(e)(1)", "Transmission security", Standard)
	TransmissionIntegrity     = cite("164.312(e)(2)(i)", "Integrity controls", Addressable)
	TransmissionEncryption    = cite("164.312(e)(2)(ii)", "Encryption", Addressable)
	MinimumNecessaryUses      = cite("164.514(d)(2)", "Minimum necessary uses of protected health information", Standard)
	PersonnelDesignations     = cite("164.530(a)(1)", "Personnel designations", Standard)
	BusinessAssociateContract = cite("164.308(b)(1)", "Business associate contracts and other arrangements", Standard)
	WrittenContract           = cite("164.308(b)(3)", "Written contract or other arrangement", Required)
	AssociateContractClauses  = cite("164.314(a)(2)(i)", "Business associate contracts", Required)
	DisclosureToAssociates    = cite("164.502(e)(1)", "Disclosures to business associates", Standard)
	PrivacyContractClauses    = cite("164.504(e)(1)", "Business associate contracts", Standard)
)

var paragraphs []Citation

func cite(paragraph, title string, obligation Obligation) Citation {
	c := Citation{Paragraph: paragraph, Title: title, Obligation: obligation}
	paragraphs = append(paragraphs, c)
	return c
}
