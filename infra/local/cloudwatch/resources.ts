import { arnOf, named } from '../stack/naming.ts';
import type { ResourceTypes } from '../stack/resource-types.ts';
import { monitoring, type Rules, tags } from '../stack/rules.ts';

const unwatched = (...properties: readonly string[]): Rules =>
  Object.fromEntries(properties.map((property) => [property, monitoring]));

/** What CloudFormation has of CloudWatch: an app may have it, and nothing comes of it here. */
export const cloudWatchTypes: ResourceTypes = {
  'AWS::CloudWatch::Alarm': {
    rules: {
      ...tags,
      ...unwatched('AlarmName', 'AlarmDescription', 'ActionsEnabled'),
      ...unwatched('AlarmActions', 'OKActions', 'InsufficientDataActions'),
      ...unwatched('Namespace', 'MetricName', 'Dimensions', 'Metrics', 'ThresholdMetricId', 'Unit'),
      ...unwatched('Statistic', 'ExtendedStatistic', 'EvaluateLowSampleCountPercentile', 'Period'),
      ...unwatched('ComparisonOperator', 'Threshold', 'TreatMissingData'),
      ...unwatched('EvaluationPeriods', 'DatapointsToAlarm'),
    },
    naming: {
      ...named('AlarmName', 255),
      arn: ({ name, region, accountId }) => `arn:aws:cloudwatch:${region}:${accountId}:alarm:${name}`,
      attributes: { Arn: arnOf },
    },
  },
  'AWS::CloudWatch::Dashboard': {
    rules: { ...tags, ...unwatched('DashboardName', 'DashboardBody') },
    naming: named('DashboardName', 255),
  },
};
