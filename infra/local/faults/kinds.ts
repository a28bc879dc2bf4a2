/** The types of the resources that faults can be confined to by name. */
export const TYPES = {
  queue: 'AWS::SQS::Queue',
  table: 'AWS::DynamoDB::Table',
  bus: 'AWS::Events::EventBus',
  function: 'AWS::Lambda::Function',
} as const;

export type NameKind = keyof typeof TYPES;
