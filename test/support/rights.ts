import type { TemplateResources } from './local.ts';

/**
 * A right as tests write it: whose role, which action, on which resource. `Fanout dynamodb:Query Subscriptions`. All
 * names are those of constructs, which a logical id and an ARN both have in them.
 */
export const rightOf = (principalArn: string, action: string, resourceArn: string): string =>
  `${roleIn(principalArn.replace(/^.*:assumed-role\/Fanwire-/, ''))} ${action} ${resourceIn(resourceArn)}`;

/** Every right that the policies of a template grant. */
export function rightsIn(resources: TemplateResources): string[] {
  const policies = Object.values(resources).filter(({ Type }) => Type === 'AWS::IAM::Policy');
  return policies.flatMap(({ Properties: { PolicyDocument, Roles } }) =>
    PolicyDocument.Statement.flatMap((statement: Record<'Action' | 'Resource', unknown>) =>
      [statement.Action].flat().flatMap((action) =>
        [statement.Resource]
          .flat()
          .map((resource) => JSON.stringify(resource))
          // Versions of the function, for there may be some that a schedule invokes; CDK grants them along with it.
          .filter((resource) => !resource.endsWith('":*"]]}'))
          .map((resource) => `${roleIn(Roles[0].Ref)} ${action} ${resourceIn(resource)}`),
      ),
    ),
  );
}

/** `Fanout` from `FanwireFanoutRoleECF839B3`. */
const roleIn = (name: string): string => /^(?:Fanwire)?(\w+?)Role/.exec(name)?.[1] ?? name;

/** `Connections/index/byUser`, or `POST @connections`. */
function resourceIn(text: string): string {
  const [, method] = /\/(\w+)\/@connections\//.exec(text) ?? [];
  if (method) return `${method} @connections`;
  // It has a name of its own.
  if (text.includes(':event-bus/')) return 'Bus';
  const [, name = text] = /Fanwire([A-Z][A-Za-z]+?)[0-9A-F]{8}/.exec(text) ?? [];
  const [index = ''] = /\/index\/\w+/.exec(text) ?? [];
  return name + index;
}
