import { RemovalPolicy } from 'aws-cdk-lib';
import type { Operation } from './presets.ts';

/** What is retained is left behind, except by a first deployment that fails. */
export const REMOVAL_POLICIES: Readonly<Record<Operation['removal'], RemovalPolicy>> = {
  destroy: RemovalPolicy.DESTROY,
  retain: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
};
