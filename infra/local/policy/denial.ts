/** Why somebody may not do something, as AWS says it. */
export interface Denial {
  readonly principalArn: string;
  readonly action: string;
  readonly resource: string;
  readonly reason:
    | 'explicit deny in identity-based policy'
    | 'explicit deny in resource-based policy'
    | 'no identity-based policy'
    | 'no resource-based policy';
}

/** As AWS words it, with the action as the service writes it. */
export function explain({ principalArn, action, resource, reason }: Denial): string {
  const because = {
    'explicit deny in identity-based policy': 'with an explicit deny in an identity-based policy',
    'explicit deny in resource-based policy': 'with an explicit deny in a resource-based policy',
    'no identity-based policy': `because no identity-based policy allows the ${action} action`,
    'no resource-based policy': `because no resource-based policy allows the ${action} action`,
  }[reason];
  return `User: ${principalArn} is not authorized to perform: ${action} on resource: ${resource} ${because}`;
}
