// Generated from protos/arrow/flight/Flight.proto and protos/mbs/v1/stage.proto by tools/protos/generate.ts; do not edit.
export const descriptors = {
  nested: {
    arrow: {
      nested: {
        flight: {
          nested: {
            protocol: {
              nested: {
                FlightService: {
                  methods: {
                    Handshake: {
                      requestType: "HandshakeRequest",
                      requestStream: true,
                      responseType: "HandshakeResponse",
                      responseStream: true,
                    },
                    ListFlights: {
                      requestType: "Criteria",
                      responseType: "FlightInfo",
                      responseStream: true,
                    },
                    GetFlightInfo: {
                      requestType: "FlightDescriptor",
                      responseType: "FlightInfo",
                    },
                    GetSchema: {
                      requestType: "FlightDescriptor",
                      responseType: "SchemaResult",
                    },
                    DoGet: {
                      requestType: "Ticket",
                      responseType: "FlightData",
                      responseStream: true,
                    },
                    DoPut: {
                      requestType: "FlightData",
                      requestStream: true,
                      responseType: "PutResult",
                      responseStream: true,
                    },
                    DoExchange: {
                      requestType: "FlightData",
                      requestStream: true,
                      responseType: "FlightData",
                      responseStream: true,
                    },
                    DoAction: {
                      requestType: "Action",
                      responseType: "Result",
                      responseStream: true,
                    },
                    ListActions: {
                      requestType: "Empty",
                      responseType: "ActionType",
                      responseStream: true,
                    },
                  },
                },
                Empty: {
                  fields: {},
                },
                HandshakeRequest: {
                  fields: {
                    protocolVersion: {
                      type: "uint64",
                      id: 1,
                      protoName: "protocol_version",
                    },
                    payload: {
                      type: "bytes",
                      id: 2,
                    },
                  },
                },
                HandshakeResponse: {
                  fields: {
                    protocolVersion: {
                      type: "uint64",
                      id: 1,
                      protoName: "protocol_version",
                    },
                    payload: {
                      type: "bytes",
                      id: 2,
                    },
                  },
                },
                Criteria: {
                  fields: {
                    expression: {
                      type: "bytes",
                      id: 1,
                    },
                  },
                },
                Action: {
                  fields: {
                    type: {
                      type: "string",
                      id: 1,
                    },
                    body: {
                      type: "bytes",
                      id: 2,
                    },
                  },
                },
                ActionType: {
                  fields: {
                    type: {
                      type: "string",
                      id: 1,
                    },
                    description: {
                      type: "string",
                      id: 2,
                    },
                  },
                },
                Result: {
                  fields: {
                    body: {
                      type: "bytes",
                      id: 1,
                    },
                  },
                },
                SchemaResult: {
                  fields: {
                    schema: {
                      type: "bytes",
                      id: 1,
                    },
                  },
                },
                FlightDescriptor: {
                  fields: {
                    type: {
                      type: "DescriptorType",
                      id: 1,
                    },
                    cmd: {
                      type: "bytes",
                      id: 2,
                    },
                    path: {
                      rule: "repeated",
                      type: "string",
                      id: 3,
                    },
                  },
                  nested: {
                    DescriptorType: {
                      values: {
                        UNKNOWN: 0,
                        PATH: 1,
                        CMD: 2,
                      },
                    },
                  },
                },
                FlightInfo: {
                  fields: {
                    schema: {
                      type: "bytes",
                      id: 1,
                    },
                    flightDescriptor: {
                      type: "FlightDescriptor",
                      id: 2,
                      protoName: "flight_descriptor",
                    },
                    endpoint: {
                      rule: "repeated",
                      type: "FlightEndpoint",
                      id: 3,
                    },
                    totalRecords: {
                      type: "int64",
                      id: 4,
                      protoName: "total_records",
                    },
                    totalBytes: {
                      type: "int64",
                      id: 5,
                      protoName: "total_bytes",
                    },
                    ordered: {
                      type: "bool",
                      id: 6,
                    },
                    appMetadata: {
                      type: "bytes",
                      id: 7,
                      protoName: "app_metadata",
                    },
                  },
                },
                FlightEndpoint: {
                  fields: {
                    ticket: {
                      type: "Ticket",
                      id: 1,
                    },
                    location: {
                      rule: "repeated",
                      type: "Location",
                      id: 2,
                    },
                  },
                },
                Location: {
                  fields: {
                    uri: {
                      type: "string",
                      id: 1,
                    },
                  },
                },
                Ticket: {
                  fields: {
                    ticket: {
                      type: "bytes",
                      id: 1,
                    },
                  },
                },
                FlightData: {
                  fields: {
                    flightDescriptor: {
                      type: "FlightDescriptor",
                      id: 1,
                      protoName: "flight_descriptor",
                    },
                    dataHeader: {
                      type: "bytes",
                      id: 2,
                      protoName: "data_header",
                    },
                    appMetadata: {
                      type: "bytes",
                      id: 3,
                      protoName: "app_metadata",
                    },
                    dataBody: {
                      type: "bytes",
                      id: 1000,
                      protoName: "data_body",
                    },
                  },
                },
                PutResult: {
                  fields: {
                    appMetadata: {
                      type: "bytes",
                      id: 1,
                      protoName: "app_metadata",
                    },
                  },
                },
              },
            },
          },
        },
      },
    },
    mbs: {
      nested: {
        v1: {
          nested: {
            StageCall: {
              fields: {
                stage: {
                  type: "string",
                  id: 1,
                },
                options: {
                  keyType: "string",
                  type: "Value",
                  id: 2,
                },
                inputs: {
                  keyType: "string",
                  type: "Addresses",
                  id: 3,
                },
                output: {
                  type: "string",
                  id: 4,
                },
                threads: {
                  type: "uint32",
                  id: 5,
                },
              },
            },
            Value: {
              oneofs: {
                value: {
                  oneof: ["flag", "number", "text", "list"],
                },
              },
              fields: {
                flag: {
                  type: "bool",
                  id: 1,
                },
                number: {
                  type: "double",
                  id: 2,
                },
                text: {
                  type: "string",
                  id: 3,
                },
                list: {
                  type: "Texts",
                  id: 4,
                },
              },
            },
            Texts: {
              fields: {
                items: {
                  rule: "repeated",
                  type: "string",
                  id: 1,
                },
              },
            },
            Addresses: {
              fields: {
                items: {
                  rule: "repeated",
                  type: "string",
                  id: 1,
                },
              },
            },
            StageResult: {
              fields: {
                outputs: {
                  keyType: "string",
                  type: "string",
                  id: 1,
                },
                warnings: {
                  rule: "repeated",
                  type: "string",
                  id: 2,
                },
                address: {
                  type: "string",
                  id: 3,
                },
              },
            },
            StageList: {
              fields: {
                stages: {
                  rule: "repeated",
                  type: "StageDescription",
                  id: 1,
                },
              },
            },
            StageDescription: {
              fields: {
                name: {
                  type: "string",
                  id: 1,
                },
                summary: {
                  type: "string",
                  id: 2,
                },
                inputs: {
                  rule: "repeated",
                  type: "StageInput",
                  id: 3,
                },
                outputs: {
                  rule: "repeated",
                  type: "StageOutput",
                  id: 4,
                },
                options: {
                  rule: "repeated",
                  type: "StageOption",
                  id: 5,
                },
              },
            },
            StageInput: {
              fields: {
                name: {
                  type: "string",
                  id: 1,
                },
                kinds: {
                  rule: "repeated",
                  type: "string",
                  id: 2,
                },
                optional: {
                  type: "bool",
                  id: 3,
                },
                many: {
                  type: "bool",
                  id: 4,
                },
                description: {
                  type: "string",
                  id: 5,
                },
              },
            },
            StageOutput: {
              fields: {
                name: {
                  type: "string",
                  id: 1,
                },
                kind: {
                  type: "string",
                  id: 2,
                },
                description: {
                  type: "string",
                  id: 3,
                },
              },
            },
            StageOption: {
              fields: {
                name: {
                  type: "string",
                  id: 1,
                },
                kind: {
                  type: "string",
                  id: 2,
                },
                description: {
                  type: "string",
                  id: 3,
                },
                required: {
                  type: "bool",
                  id: 4,
                },
                choices: {
                  rule: "repeated",
                  type: "string",
                  id: 5,
                },
              },
            },
          },
        },
      },
    },
  },
};
