import type { Account } from '../account.ts';
import { logGroupName } from '../lambda/resources.ts';
import type { Stack } from '../stack/stack.ts';
import type { Principal, Principals } from './principals.ts';

/** A function of the template as IAM sees it. */
export interface FunctionIdentity {
  readonly name: string;
  readonly roleArn: string;
  readonly principal: Principal;
  /** Where it logs; no stream has a policy of its own, so one name stands for all. */
  readonly logStreamArn: string;
}

/** By ARN of the function. */
export type FunctionIdentities = ReadonlyMap<string, FunctionIdentity>;

export const identifyFunctions = (
  stack: Stack,
  principals: Principals,
  { region, accountId }: Account,
): FunctionIdentities =>
  new Map(
    stack.ofType('AWS::Lambda::Function').map(({ logicalId, properties }) => {
      const name = stack.physicalName(logicalId);
      const roleArn = String(properties.Role);
      const logGroup = `arn:aws:logs:${region}:${accountId}:log-group:${logGroupName(name, properties)}`;
      return [
        stack.arn(logicalId),
        {
          name,
          roleArn,
          principal: principals.session(roleArn, name),
          logStreamArn: `${logGroup}:log-stream:*`,
        },
      ];
    }),
  );
