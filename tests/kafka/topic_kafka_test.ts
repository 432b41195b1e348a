import { testTopicContract } from "../_support/topic_contract.ts";
import { kafka } from "../_support/topic_fixture.ts";

testTopicContract(kafka);
