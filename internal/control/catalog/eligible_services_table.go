package catalog

import (
	"maps"
	"slices"
	"time"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// standing is what AWS's list means for a service.
type standing int

const (
	// unlisted is that it is not on the list.
	unlisted standing = iota
	// eligible is that it is on the list, or a part of what is.
	eligible
	// tool is that it keeps, changes and passes on no PHI.
	tool
	// unclear is that the list does not say whether it is part of what is on it.
	unclear
)

// awsService is a service as people call it, and how it stands.
type awsService struct {
	name string
	is   standing
}

// awsListed is the day of the list of HIPAA eligible services that awsServices follows:
// aws.amazon.com/compliance/hipaa-eligible-services-reference, as repeated by the public
// examples of service control policies for health care, "aligned with the list of
// published eligible services dated May 22, 2026". They name the tools as well.
var awsListed = date(2026, time.May, 22)

// awsServices are services by what API groups of AWS Controllers for Kubernetes and of
// Crossplane's providers begin with. Generally available features of what is on the list
// are as eligible as it is, the list says; that is taken here of what AWS sells as a part of
// it under its name, and what is doubtful is unclear. What is not here is not on the list.
var awsServices = map[string]awsService{
	"accessanalyzer":               {"IAM Access Analyzer", tool},
	"account":                      {"AWS Account Management", unclear},
	"acm":                          {"AWS Certificate Manager", eligible},
	"acmpca":                       {"AWS Private Certificate Authority", eligible},
	"agentregistry":                {"AWS Agent Registry", unclear},
	"amp":                          {"Amazon Managed Service for Prometheus", eligible},
	"amplify":                      {"AWS Amplify Console", eligible},
	"apigateway":                   {"Amazon API Gateway", eligible},
	"apigatewayv2":                 {"Amazon API Gateway", eligible},
	"appautoscaling":               {"Application Auto Scaling", unclear},
	"appconfig":                    {"AWS AppConfig of AWS Systems Manager", eligible},
	"appfabric":                    {"AWS AppFabric", eligible},
	"appflow":                      {"Amazon AppFlow", eligible},
	"appintegrations":              {"Amazon AppIntegrations", unclear},
	"applicationautoscaling":       {"Application Auto Scaling", unclear},
	"applicationinsights":          {"CloudWatch Application Insights", tool},
	"appmesh":                      {"AWS App Mesh", eligible},
	"apprunner":                    {"AWS App Runner", unlisted},
	"appstream":                    {"Amazon WorkSpaces Applications", eligible},
	"appsync":                      {"AWS AppSync", eligible},
	"athena":                       {"Amazon Athena", eligible},
	"auditmanager":                 {"AWS Audit Manager", eligible},
	"autoscaling":                  {"Amazon EC2 Auto Scaling", eligible},
	"autoscalingplans":             {"AWS Auto Scaling", unclear},
	"backup":                       {"AWS Backup", eligible},
	"batch":                        {"AWS Batch", eligible},
	"bcmdataexports":               {"AWS Data Exports", tool},
	"bedrock":                      {"Amazon Bedrock", eligible},
	"bedrockagent":                 {"Agents of Amazon Bedrock", eligible},
	"bedrockagentcore":             {"Amazon Bedrock AgentCore", eligible},
	"bedrockagentcorecontrol":      {"Amazon Bedrock AgentCore", eligible},
	"budgets":                      {"AWS Budgets", tool},
	"cache":                        {"Amazon ElastiCache", eligible},
	"ce":                           {"AWS Cost Explorer", tool},
	"chime":                        {"Amazon Chime", eligible},
	"cloud9":                       {"AWS Cloud9", eligible},
	"cloudcontrol":                 {"AWS Cloud Control API", unclear},
	"cloudformation":               {"AWS CloudFormation", eligible},
	"cloudfront":                   {"Amazon CloudFront", eligible},
	"cloudsearch":                  {"Amazon CloudSearch", unlisted},
	"cloudtrail":                   {"AWS CloudTrail", eligible},
	"cloudwatch":                   {"Amazon CloudWatch", eligible},
	"cloudwatchevents":             {"Amazon EventBridge", eligible},
	"cloudwatchlogs":               {"Amazon CloudWatch Logs", eligible},
	"codeartifact":                 {"AWS CodeArtifact", unlisted},
	"codebuild":                    {"AWS CodeBuild", eligible},
	"codecommit":                   {"AWS CodeCommit", eligible},
	"codeguruprofiler":             {"Amazon CodeGuru Profiler", unlisted},
	"codepipeline":                 {"AWS CodePipeline", eligible},
	"codestarconnections":          {"AWS CodeConnections", unclear},
	"codestarnotifications":        {"notifications of AWS's developer tools", unclear},
	"cognitoidentity":              {"Amazon Cognito", eligible},
	"cognitoidentityprovider":      {"Amazon Cognito", eligible},
	"cognitoidp":                   {"Amazon Cognito", eligible},
	"configservice":                {"AWS Config", eligible},
	"connect":                      {"Amazon Connect", eligible},
	"cur":                          {"AWS Cost and Usage Reports", tool},
	"database":                     {"Amazon RDS", eligible},
	"dataexchange":                 {"AWS Data Exchange", eligible},
	"datapipeline":                 {"AWS Data Pipeline", unlisted},
	"datasync":                     {"AWS DataSync", eligible},
	"datazone":                     {"Amazon DataZone", eligible},
	"dax":                          {"DynamoDB Accelerator of Amazon DynamoDB", eligible},
	"deploy":                       {"AWS CodeDeploy", eligible},
	"detective":                    {"Amazon Detective", eligible},
	"devicefarm":                   {"AWS Device Farm", unlisted},
	"devopsguru":                   {"Amazon DevOps Guru", eligible},
	"directconnect":                {"AWS Direct Connect", eligible},
	"dlm":                          {"Data Lifecycle Manager of Amazon EBS", eligible},
	"dms":                          {"AWS Database Migration Service", eligible},
	"docdb":                        {"Amazon DocumentDB", eligible},
	"documentdb":                   {"Amazon DocumentDB", eligible},
	"ds":                           {"AWS Directory Service", eligible},
	"dsql":                         {"Amazon Aurora DSQL", unclear},
	"dynamodb":                     {"Amazon DynamoDB", eligible},
	"ec2":                          {"Amazon EC2 and Amazon VPC", eligible},
	"ecr":                          {"Amazon ECR", eligible},
	"ecrpublic":                    {"Amazon ECR Public", unclear},
	"ecs":                          {"Amazon ECS", eligible},
	"efs":                          {"Amazon EFS", eligible},
	"eks":                          {"Amazon EKS", eligible},
	"elasticache":                  {"Amazon ElastiCache", eligible},
	"elasticbeanstalk":             {"AWS Elastic Beanstalk", eligible},
	"elasticloadbalancing":         {"Elastic Load Balancing", eligible},
	"elasticsearch":                {"Amazon OpenSearch Service", eligible},
	"elasticsearchservice":         {"Amazon OpenSearch Service", eligible},
	"elastictranscoder":            {"Amazon Elastic Transcoder", unlisted},
	"elb":                          {"Elastic Load Balancing", eligible},
	"elbv2":                        {"Elastic Load Balancing", eligible},
	"emr":                          {"Amazon EMR", eligible},
	"emrcontainers":                {"Amazon EMR", eligible},
	"emrserverless":                {"Amazon EMR", eligible},
	"eventbridge":                  {"Amazon EventBridge", eligible},
	"evidently":                    {"Evidently of Amazon CloudWatch", eligible},
	"firehose":                     {"Amazon Data Firehose", eligible},
	"fis":                          {"AWS Fault Injection Service", eligible},
	"fms":                          {"AWS Firewall Manager", eligible},
	"fsx":                          {"Amazon FSx", eligible},
	"gamelift":                     {"Amazon GameLift", unlisted},
	"glacier":                      {"Amazon S3 Glacier", eligible},
	"globalaccelerator":            {"AWS Global Accelerator", eligible},
	"glue":                         {"AWS Glue", eligible},
	"grafana":                      {"Amazon Managed Grafana", unlisted},
	"guardduty":                    {"Amazon GuardDuty", eligible},
	"iam":                          {"AWS IAM", tool},
	"identity":                     {"AWS IAM", tool},
	"identitystore":                {"AWS IAM Identity Center", eligible},
	"imagebuilder":                 {"EC2 Image Builder", unclear},
	"inspector":                    {"Amazon Inspector", eligible},
	"inspector2":                   {"Amazon Inspector", eligible},
	"iot":                          {"AWS IoT Core", eligible},
	"ivs":                          {"Amazon Interactive Video Service", unlisted},
	"kafka":                        {"Amazon MSK", eligible},
	"kafkaconnect":                 {"MSK Connect of Amazon MSK", eligible},
	"kendra":                       {"Amazon Kendra", eligible},
	"keyspaces":                    {"Amazon Keyspaces", eligible},
	"kinesis":                      {"Amazon Kinesis Data Streams", eligible},
	"kinesisanalytics":             {"Kinesis Data Analytics for SQL", unclear},
	"kinesisanalyticsv2":           {"Amazon Managed Service for Apache Flink", eligible},
	"kinesisvideo":                 {"Amazon Kinesis Video Streams", eligible},
	"kms":                          {"AWS KMS", eligible},
	"lakeformation":                {"AWS Lake Formation", eligible},
	"lambda":                       {"AWS Lambda", eligible},
	"lambdamicrovms":               {"micro virtual machines of AWS Lambda", unclear},
	"lexmodels":                    {"Amazon Lex", eligible},
	"licensemanager":               {"AWS License Manager", tool},
	"lightsail":                    {"Amazon Lightsail", unlisted},
	"location":                     {"Amazon Location Service", eligible},
	"m2":                           {"AWS Mainframe Modernization", eligible},
	"macie2":                       {"Amazon Macie", eligible},
	"mediaconvert":                 {"AWS Elemental MediaConvert", eligible},
	"medialive":                    {"AWS Elemental MediaLive", eligible},
	"mediapackage":                 {"AWS Elemental MediaPackage", unlisted},
	"mediastore":                   {"AWS Elemental MediaStore", unlisted},
	"memorydb":                     {"Amazon MemoryDB", eligible},
	"mq":                           {"Amazon MQ", eligible},
	"mwaa":                         {"Amazon Managed Workflows for Apache Airflow", eligible},
	"neptune":                      {"Amazon Neptune", eligible},
	"networkfirewall":              {"AWS Network Firewall", eligible},
	"networkmanager":               {"AWS Network Manager", unclear},
	"networkmonitor":               {"Network Monitor of Amazon CloudWatch", eligible},
	"notification":                 {"Amazon SNS", eligible},
	"opensearch":                   {"Amazon OpenSearch Service", eligible},
	"opensearchserverless":         {"Amazon OpenSearch Service", eligible},
	"opensearchservice":            {"Amazon OpenSearch Service", eligible},
	"opsworks":                     {"AWS OpsWorks", eligible},
	"organizations":                {"AWS Organizations", eligible},
	"osis":                         {"Ingestion of Amazon OpenSearch Service", eligible},
	"pinpoint":                     {"Amazon Pinpoint", eligible},
	"pipes":                        {"Pipes of Amazon EventBridge", eligible},
	"prometheusservice":            {"Amazon Managed Service for Prometheus", eligible},
	"qldb":                         {"Amazon QLDB", eligible},
	"quicksight":                   {"Amazon Quick Suite", eligible},
	"ram":                          {"AWS RAM", eligible},
	"rds":                          {"Amazon RDS", eligible},
	"recyclebin":                   {"Recycle Bin of Amazon EBS", unclear},
	"redshift":                     {"Amazon Redshift", eligible},
	"redshiftserverless":           {"Amazon Redshift", eligible},
	"resourcegroups":               {"AWS Resource Groups", tool},
	"rolesanywhere":                {"IAM Roles Anywhere", tool},
	"route53":                      {"Amazon Route 53", eligible},
	"route53recoverycontrolconfig": {"Amazon Application Recovery Controller", eligible},
	"route53recoveryreadiness":     {"Amazon Application Recovery Controller", eligible},
	"route53resolver":              {"Amazon Route 53", eligible},
	"rum":                          {"RUM of Amazon CloudWatch", eligible},
	"s3":                           {"Amazon S3", eligible},
	"s3control":                    {"Amazon S3", eligible},
	"s3files":                      {"Amazon S3 Files", unclear},
	"s3tables":                     {"Amazon S3", eligible},
	"sagemaker":                    {"Amazon SageMaker AI", eligible},
	"scheduler":                    {"Scheduler of Amazon EventBridge", eligible},
	"schemas":                      {"Schemas of Amazon EventBridge", eligible},
	"secretsmanager":               {"AWS Secrets Manager", eligible},
	"securityhub":                  {"AWS Security Hub CSPM", eligible},
	"serverlessrepo":               {"AWS Serverless Application Repository", eligible},
	"servicecatalog":               {"AWS Service Catalog", eligible},
	"servicediscovery":             {"AWS Cloud Map", eligible},
	"servicequotas":                {"Service Quotas", unclear},
	"ses":                          {"Amazon SES", eligible},
	"sesv2":                        {"Amazon SES", eligible},
	"sfn":                          {"AWS Step Functions", eligible},
	"shield":                       {"AWS Shield", eligible},
	"signer":                       {"AWS Signer", unclear},
	"simpledb":                     {"Amazon SimpleDB", unlisted},
	"sns":                          {"Amazon SNS", eligible},
	"sqs":                          {"Amazon SQS", eligible},
	"ssm":                          {"AWS Systems Manager", eligible},
	"ssoadmin":                     {"AWS IAM Identity Center", eligible},
	"swf":                          {"Amazon SWF", eligible},
	"synthetics":                   {"Synthetics of Amazon CloudWatch", eligible},
	"timestreamwrite":              {"Amazon Timestream", eligible},
	"transcribe":                   {"Amazon Transcribe", eligible},
	"transfer":                     {"AWS Transfer Family", eligible},
	"verifiedpermissions":          {"Amazon Verified Permissions", eligible},
	"vpc":                          {"Amazon VPC", eligible},
	"vpclattice":                   {"Amazon VPC Lattice", unclear},
	"waf":                          {"AWS WAF", eligible},
	"wafregional":                  {"AWS WAF", eligible},
	"wafv2":                        {"AWS WAF", eligible},
	"workspaces":                   {"Amazon WorkSpaces", eligible},
	"xray":                         {"AWS X-Ray", eligible},
}

// rdsEngines are what the names of engines of Amazon RDS and Amazon Aurora on the list
// begin with. Amazon Neptune and Amazon DocumentDB, which are on it as well, are engines
// of the same API.
var rdsEngines = []string{"aurora", "db2", "docdb", "mariadb", "mysql", "neptune", "oracle", "postgres", "sqlserver"}

// decidedByFields are the kinds of eligible services whose fields show what the list takes
// out.
var decidedByFields = map[string][]string{
	"database": {"RDSInstance"},
	"ds":       {"Directory"},
	"rds":      {"Cluster", "ClusterInstance", "DBCluster", "DBInstance", "Instance"},
}

// noServices are ends of groups that hold settings of the projects themselves, or of
// clusters and their add-ons as AKS has them, and stand for no service of the cloud.
var noServices = map[string][]string{
	".cnrm.cloud.google.com": {".core.cnrm.cloud.google.com", ".operator.cnrm.cloud.google.com"},
	".azure.com":             {".acn.azure.com", ".clusterconfig.azure.com", ".karpenter.azure.com", ".kubernetes.azure.com"},
}

// azureServices are those of Azure Service Operator, whose versions are called after the
// days of Azure's own.
var azureServices = []string{
	"alertsmanagement", "apimanagement", "app", "appconfiguration", "authorization", "batch", "cache", "cdn", "cognitiveservices", "compute",
	"containerinstance", "containerregistry", "containerservice", "datafactory", "dataprotection", "dbformariadb", "dbformysql",
	"dbforpostgresql", "devices", "documentdb", "entra", "eventgrid", "eventhub", "insights", "keyvault", "kubernetesconfiguration", "kusto",
	"machinelearningservices", "managedidentity", "monitor", "network", "network.frontdoor", "notificationhubs", "operationalinsights",
	"redhatopenshift", "resources", "search", "servicebus", "signalrservice", "sql", "storage", "subscription", "synapse", "web",
}

// cloudOf is whose services the API groups of a family are.
var cloudOf = map[string]hipaav1.Cloud{
	".services.k8s.aws":      hipaav1.CloudAWS,    // AWS Controllers for Kubernetes
	".aws.upbound.io":        hipaav1.CloudAWS,    // Crossplane
	".aws.m.upbound.io":      hipaav1.CloudAWS,    // Crossplane, namespaced
	".aws.crossplane.io":     hipaav1.CloudAWS,    // Crossplane, the first provider
	".cnrm.cloud.google.com": hipaav1.CloudGoogle, // Config Connector
	".gcp.upbound.io":        hipaav1.CloudGoogle,
	".gcp.m.upbound.io":      hipaav1.CloudGoogle,
	".gcp.crossplane.io":     hipaav1.CloudGoogle,
	".azure.com":             hipaav1.CloudAzure, // Azure Service Operator
	".azure.upbound.io":      hipaav1.CloudAzure,
	".azure.m.upbound.io":    hipaav1.CloudAzure,
	".azure.crossplane.io":   hipaav1.CloudAzure,
}

// cloudFamilies are the API groups of all clouds. Of AWS the objects are read of what may
// fail; what is on the list needs no look, and of other clouds nothing is known either way.
func cloudFamilies() []control.Family {
	var doubtful []string
	for service, s := range awsServices {
		if s.is == unlisted || s.is == unclear {
			doubtful = append(doubtful, service)
		}
	}
	slices.Sort(doubtful)
	var families []control.Family
	for _, suffix := range slices.Sorted(maps.Keys(cloudOf)) {
		f := control.Family{Suffix: suffix, Except: noServices[suffix]}
		switch {
		case cloudOf[suffix] == hipaav1.CloudAWS:
			f.Read = doubtful
		case suffix == ".azure.com":
			for _, service := range azureServices {
				f.Groups = append(f.Groups, service+suffix)
			}
		}
		families = append(families, f)
	}
	return families
}
